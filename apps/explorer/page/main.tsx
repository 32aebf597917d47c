import { render } from "preact";
import { App } from "./app.js";
import { refresh } from "./state/page-state.js";
import "./styles.css";

render(<App />, document.getElementById("page") as HTMLElement);
void refresh();
