// Certificates for tests: an authority, one for the server on this machine, and one to show it; and a pair that nobody trusts.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

function openssl(...parameters) {
  execFileSync("openssl", parameters, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Makes them in `folder`; answers their paths. */
export function makeCertificates(folder) {
  const at = (name) => join(folder, name);
  const authority = (name) =>
    openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${name}`, "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)],
    );
  const signed = (name) => {
    openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`],
      ...["-keyout", at(`${name}.key`), "-out", at(`${name}.csr`)],
    );
    openssl(
      ...["x509", "-req", "-in", at(`${name}.csr`), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial"],
      ...["-days", "2", "-extfile", at("names"), "-out", at(`${name}.pem`)],
    );
  };
  writeFileSync(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  authority("ca");
  authority("other");
  signed("server");
  signed("client");
  return {
    ca: at("ca.pem"),
    serverCert: at("server.pem"),
    serverKey: at("server.key"),
    clientCert: at("client.pem"),
    clientKey: at("client.key"),
    otherCert: at("other.pem"),
    otherKey: at("other.key"),
  };
}
