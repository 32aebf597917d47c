/** Whether the arguments ask for the suite `cluster`, which is measured by itself: it starts a server and workers. */
export function isClusterSuite(args: readonly string[]): boolean {
  return args.length === 2 && args[0] === "--suite" && args[1] === "cluster";
}
