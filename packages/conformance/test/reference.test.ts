import { testBackend } from "@heed/conformance/vitest";
import { reference } from "@heed/core";
import { wholeIn } from "../../../test/select.js";

testBackend(reference(), { select: wholeIn("node") });
