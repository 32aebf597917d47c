import { signal } from "@preact/signals";
import { messageOf } from "../../src/message.js";
import {
  defaultRequest,
  type RunRequest,
  requestFromParams,
  requestParameters,
  requestToParams,
} from "../../src/request.js";

/** The page's next measurement; kept in the URL, so that a link and a reload restore it. */
export const request = signal<RunRequest>(pageDefault());

/** The error in the URL's parameters; null if there is none. */
export const urlProblem = signal<string | null>(null);

/** Parameters that a URL can have beside the request. */
export interface UrlActions {
  /** Start at once. */
  readonly run: boolean;
  /** Address of a result file to show. */
  readonly report: string | null;
  /** Whether it names backends. */
  readonly backends: boolean;
}

/** A page has the ceiling measured, unless it is told not to. */
function pageDefault(): RunRequest {
  return { ...defaultRequest, ceiling: true };
}

/** Reads the page's URL. */
export function readUrl(): UrlActions {
  const params = new URLSearchParams(location.search);
  if (!params.has("ceiling")) params.set("ceiling", "true");
  try {
    request.value = requestFromParams(params);
  } catch (error) {
    urlProblem.value = messageOf(error);
  }
  return {
    run: params.has("run"),
    report: params.get("report"),
    backends: params.has("backends"),
  };
}

/** Takes backends out of the request without changing the URL, which another browser may be given. */
export function leaveOut(missing: (backend: string) => boolean): void {
  const backends = request.value.backends.filter((name) => !missing(name));
  request.value = { ...request.value, backends };
}

/** Writes the request into the page's URL. Everything else that the URL says stays. */
export function writeUrl(): void {
  // A file that was dropped has an address in this page alone.
  const { model } = request.value;
  const lasting = model?.file.startsWith("blob:") ? null : model;
  const params = requestToParams({ ...request.value, model: lasting });
  // On this page the ceiling is measured by default, so only `false` has to be written.
  if (request.value.ceiling) params.delete("ceiling");
  else params.set("ceiling", "false");
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (!requestParameters.has(name) && name !== "run") params.append(name, value);
  }
  const search = params.toString();
  history.replaceState(null, "", `${location.pathname}${search && `?${search}`}${location.hash}`);
}

export function changeRequest(change: Partial<RunRequest>): void {
  request.value = { ...request.value, ...change };
  urlProblem.value = null;
  writeUrl();
}
