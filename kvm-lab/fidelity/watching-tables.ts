/** Tables around the ruleset under test: they switch tracing on and stand first and last at every hook. */

/** Rules of this table begin a packet's trace. */
export const beginTable = 'begin';
export const watchTable = 'watch';
/** Packets of this host that are to be traced. */
export const ownMark = 0xf1de;

const hooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;

export function watchingTables(devices: readonly string[]): string {
  const ingress = devices.map(
    (device) =>
      `chain ${device} {\n type filter hook ingress device ${device} priority -500; meta nftrace set 1\n}`,
  );
  const watch = hooks.flatMap((hook) => [
    `chain ${hook}_first {\n type filter hook ${hook} priority -${hook === 'output' ? 450 : 460};\n}`,
    `chain ${hook}_last {\n type filter hook ${hook} priority 500;\n}`,
  ]);
  return [
    `table netdev ${beginTable} {\n${ingress.join('\n')}\n}`,
    `table inet ${beginTable} {\nchain own {\n type filter hook output priority -500; meta mark ${ownMark} meta nftrace set 1\n}\n}`,
    `table inet ${watchTable} {\n${watch.join('\n')}\n}`,
  ].join('\n');
}
