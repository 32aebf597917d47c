import { ConformancePage } from "./page.js";
import { readQuery } from "./query.js";
import { readVector } from "./vectors.js";

const query = readQuery(location.search);
const page = new ConformancePage(document.getElementById("page") as HTMLElement, query, readVector);
if (query.start) await page.run();
