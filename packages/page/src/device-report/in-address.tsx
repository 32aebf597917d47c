import { type DeviceReport, reportFromFragment } from "@heed/conformance/device-report";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { DeviceReportView } from "./view.js";

/** The report in the page's own address, as others send it in a link; nothing if there is none. */
export function ReportInAddress(): JSX.Element | null {
  const report = useSignal<DeviceReport | null>(null);
  const problem = useSignal<string | null>(null);
  useEffect(() => {
    let latest = 0;
    const look = async () => {
      latest += 1;
      const own = latest;
      let found: DeviceReport | null = null;
      let message: string | null = null;
      try {
        found = await reportFromFragment(location.hash);
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
      }
      if (own !== latest) return;
      report.value = found;
      problem.value = message;
    };
    const listen = () => void look();
    listen();
    addEventListener("hashchange", listen);
    return () => removeEventListener("hashchange", listen);
  }, [report, problem]);
  if (problem.value !== null) {
    return (
      <p class="warning" role="alert">
        The address holds no report that can be shown. {problem.value}
      </p>
    );
  }
  return report.value && <DeviceReportView report={report.value} origin="the link to this page" />;
}
