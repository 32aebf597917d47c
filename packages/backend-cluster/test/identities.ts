import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "@nats-io/nats-core";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A file of a directory, with such text. */
export function fileIn(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** The seed of a key as text. */
export function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

/** A certificate for this machine that signs itself, and its key. */
export function certificate(directory: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const files = ["-keyout", key, "-out", cert, "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...names, ...files], { stdio: "ignore" });
  return { cert, key };
}

/** Claims signed by a key, as NATS has them: a JWT whose algorithm is Ed25519 with NKeys. */
function signed(by: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64url");
  const header = { typ: "JWT", alg: "ed25519-nkey" };
  const claims = {
    ...{ jti: name, iat: Math.floor(Date.now() / 1000), iss: by.getPublicKey(), name },
    ...{ sub: subject.getPublicKey(), nats: { version: 2, ...nats } },
  };
  const text = `${base64(JSON.stringify(header))}.${base64(JSON.stringify(claims))}`;
  return `${text}.${base64(by.sign(new TextEncoder().encode(text)))}`;
}

/** An operator with one account: what a server is told, and the credentials of a user of the account. */
export function operatorWithUser(): { readonly config: string; readonly credentials: string } {
  const [operator, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const limits = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1 };
  const operatorJwt = signed(operator, operator, "operator", { type: "operator" });
  const accountJwt = signed(operator, account, "account", {
    type: "account",
    limits: { ...limits, wildcards: true },
  });
  const userJwt = signed(account, user, "user", {
    ...{ type: "user", subs: -1, data: -1, payload: -1, pub: {}, sub: {} },
  });
  return {
    config: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }\n`,
    credentials: [
      ...["-----BEGIN NATS USER JWT-----", userJwt, "------END NATS USER JWT------", ""],
      ...["-----BEGIN USER NKEY SEED-----", seedOf(user), "------END USER NKEY SEED------", ""],
    ].join("\n"),
  };
}
