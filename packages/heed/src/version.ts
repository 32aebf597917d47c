/** The version in package.json, which a test compares: what was learned by another one is not trusted. */
export const version = "0.0.0";
