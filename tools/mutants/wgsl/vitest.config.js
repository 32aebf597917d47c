/** Tests of the package with a mutant in the kernels that they compile. */
import { testsConfig } from "../suite/tests-config.js";

export default testsConfig({ setupFiles: ["tools/mutants/wgsl/plant.js"] });
