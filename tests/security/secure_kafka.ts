/**
 * Runs a Kafka for the security tests, with a listener for each way to authenticate.
 *
 * @module
 */

import { type Kafka, type KafkaListener, startKafka } from "../../tools/kafka.ts";
import { Certificates } from "./certificates.ts";

/** The users. */
export const USER = { name: "ada", password: "secret" } as const;

/** A Kafka with listeners for SASL and TLS, and their certificates. */
export class SecureKafka implements AsyncDisposable {
  private constructor(readonly kafka: Kafka, readonly certificates: Certificates) {}

  static async start(): Promise<SecureKafka> {
    const certificates = await Certificates.make({
      broker: "IP:127.0.0.1",
      elsewhere: "DNS:elsewhere.example",
      client: "DNS:client.example",
    });
    try {
      const kafka = await startKafka({
        listeners: {
          PLAIN: sasl("PLAIN", "plain.PlainLoginModule", `user_${USER.name}="${USER.password}"`),
          SCRAM256: sasl("SCRAM-SHA-256", "scram.ScramLoginModule"),
          SCRAM512: sasl("SCRAM-SHA-512", "scram.ScramLoginModule"),
          TOKENS: sasl("OAUTHBEARER", "oauthbearer.OAuthBearerLoginModule", 'unsecuredLoginStringClaim_sub="broker"'),
          TLS: { protocol: "SSL", properties: tls(certificates, "broker") },
          MUTUAL: { protocol: "SSL", properties: { ...tls(certificates, "broker"), "ssl.client.auth": "required" } },
          ELSEWHERE: { protocol: "SSL", properties: tls(certificates, "elsewhere") },
          EXPIRED: { protocol: "SSL", properties: tls(certificates, "expired") },
          BOTH: {
            protocol: "SASL_SSL",
            properties: {
              ...tls(certificates, "broker"),
              ...sasl("SCRAM-SHA-512", "scram.ScramLoginModule").properties,
            },
          },
        },
        scramUsers: [{ mechanism: "SCRAM-SHA-256", ...USER }, { mechanism: "SCRAM-SHA-512", ...USER }],
      });
      return new SecureKafka(kafka, certificates);
    } catch (error) {
      await certificates[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kafka.stop();
    await this.certificates[Symbol.asyncDispose]();
  }
}

function sasl(mechanism: string, module: string, options = ""): KafkaListener {
  return {
    protocol: "SASL_PLAINTEXT",
    properties: {
      "sasl.enabled.mechanisms": mechanism,
      [`${mechanism.toLowerCase()}.sasl.jaas.config`]:
        `org.apache.kafka.common.security.${module} required ${options};`,
    },
  };
}

function tls(certificates: Certificates, name: string): Record<string, string> {
  return {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": certificates.path(`${name}.pem`),
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": certificates.path("ca.crt"),
  };
}
