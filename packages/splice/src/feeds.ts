/**
 * Feeds for a model: from NumPy's files, or random ones that fit its inputs.
 *
 * @module
 */
export { readNpz } from "./feeds/npz.js";
export { type FeedSizes, parseSizes, randomFeeds } from "./feeds/random.js";
