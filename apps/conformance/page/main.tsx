import { readQuery } from "../src/query.js";
import { readVector } from "../src/vectors.js";
import { mount } from "./mount.js";
import "./styles.css";

const query = readQuery(location.search);
const suite = mount(document.getElementById("page") as HTMLElement, query, readVector);
if (query.start) await suite.run();
