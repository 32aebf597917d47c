import type { Provider } from "@heed/core";
import { peer } from "../index.js";

/** For `--backend` of the commands, which take the path of a module. */
const provider: Provider = peer("tfjs");
export default provider;
