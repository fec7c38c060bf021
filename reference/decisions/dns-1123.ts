/**
 * Names as Kubernetes checks them: what is asked about is one object, and no pattern, path or user name.
 * Invariant: a text that passes holds nothing but `a-z`, `0-9`, `-` and `.`.
 */

const maxSubdomainLength = 253;
const maxLabelLength = 63;
const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** DNS-1123 subdomain: names of service accounts and Secrets. */
export function isDnsSubdomain(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= maxSubdomainLength &&
    value.split('.').every((part) => label.test(part))
  );
}

/** DNS-1123 label: names of namespaces. */
export function isDnsLabel(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxLabelLength && label.test(value);
}
