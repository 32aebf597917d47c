import { kinds, type Status, statuses } from "../message/layout.js";
import type { Beat } from "../message/requests.js";

/** Counts what a worker does, and tells it in the text format of Prometheus. */
export class Metrics {
  readonly #requests = new Map<number, { count: number; milliseconds: number }>();
  readonly #refusals = new Map<Status, number>();
  #receivedBytes = 0;

  answered(kind: number, milliseconds: number, bytes: number): void {
    const known = this.#requests.get(kind) ?? { count: 0, milliseconds: 0 };
    known.count += 1;
    known.milliseconds += milliseconds;
    this.#requests.set(kind, known);
    this.#receivedBytes += bytes;
  }

  refused(status: Status): void {
    this.#refusals.set(status, (this.#refusals.get(status) ?? 0) + 1);
  }

  /** Lines of text, each a name, labels and a number. */
  text(beat: Beat): string {
    const { worker } = beat;
    const lines = [
      `heed_worker_memory_bytes{worker="${worker}"} ${beat.memoryBytes}`,
      `heed_worker_used_bytes{worker="${worker}"} ${beat.usedBytes}`,
      `heed_worker_parts{worker="${worker}"} ${beat.parts}`,
      `heed_worker_open_requests{worker="${worker}"} ${beat.openRequests}`,
      `heed_worker_received_bytes_total{worker="${worker}"} ${this.#receivedBytes}`,
    ];
    for (const [kind, { count, milliseconds }] of this.#requests) {
      const labels = `{worker="${worker}",kind="${nameOf(kinds, kind)}"}`;
      lines.push(`heed_worker_requests_total${labels} ${count}`);
      lines.push(`heed_worker_request_seconds_total${labels} ${milliseconds / 1000}`);
    }
    for (const [status, count] of this.#refusals) {
      const labels = `{worker="${worker}",status="${nameOf(statuses, status)}"}`;
      lines.push(`heed_worker_refusals_total${labels} ${count}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

function nameOf(numbers: Readonly<Record<string, number>>, number: number): string {
  return Object.entries(numbers).find(([, its]) => its === number)?.[0] ?? "unknown";
}
