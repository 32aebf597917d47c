import { documentToJson, makeDocument } from "@heed/conformance";
import { announceOutcome } from "@heed/page";
import { readQuery } from "../src/query.js";
import { readVector } from "../src/vectors.js";
import { mount } from "./mount.js";
import "./styles.css";

const query = readQuery(location.search);
const suite = mount(document.getElementById("page") as HTMLElement, query, readVector);
if (query.start) {
  try {
    const document = makeDocument(await suite.run());
    announceOutcome({ result: documentToJson(document) });
  } catch (error) {
    announceOutcome({ problem: error instanceof Error ? `${error.stack}` : String(error) });
    throw error;
  }
} else if (query.unknown.length > 0) announceOutcome({ problem: suite.status.value });
