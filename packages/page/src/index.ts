/**
 * The look and the components that Heed's web pages share. The style sheet is `@heed/page/base.css`.
 *
 * @module
 */
export { CaseSearch, Chips } from "./case-search.js";
export { Checks } from "./checks.js";
export { CopyButton } from "./copy-button.js";
export { type BrowserDescription, describeBrowser } from "./describe-browser.js";
export { ReportInAddress } from "./device-report/in-address.js";
export { addToOwnReport } from "./device-report/own-report.js";
export { ShareReport } from "./device-report/share.js";
export { DeviceReportView } from "./device-report/view.js";
export { download } from "./download.js";
export { announceOutcome, announceProgress } from "./driven.js";
export { Folded } from "./folded.js";
export { Progress } from "./progress.js";
export { Scroll } from "./scroll.js";
export { useNarrow } from "./use-narrow.js";
