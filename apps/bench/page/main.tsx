import { render } from "preact";
import { App } from "./app.js";
import { readUrl } from "./state/url.js";
import "./styles.css";

render(<App actions={readUrl()} />, document.getElementById("app") as HTMLElement);
