/** Configurations of the resolvers: every range of the list, one upstream, and nothing outside their folder. */
import { describe, expect, test } from 'vitest';
import { documentedRanges } from './resolver-tool.ts';
import { triggerOf } from './tools/pdns-recursor.ts';
import { tools } from './tools.ts';

const place = {
  folder: '/run/resolver',
  server: { address: '127.0.0.1', port: 53 },
  upstream: { address: '127.0.0.2', port: 5353 },
  domain: 'huskproof.example',
};

describe('each resolver', () => {
  test('has a name of its own, a package, and what its makers say', () => {
    expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length);
    for (const { debianPackage, documented, setting } of tools) {
      expect([debianPackage ?? 'ours', documented, setting].every((text) => text.length > 3)).toBe(true);
    }
  });

  test.each(tools.map((tool) => [tool.name, tool] as const))(
    '%s asks only the upstream that it is told, and reads its own folder',
    (_name, tool) => {
      const { files, command } = tool.setUp(place);
      const text = [...Object.values(files), tool.debianPackage === null ? command.join(' ') : ''].join('\n');
      expect(text).toMatch(/127\.0\.0\.2[@#: ]+(port )?5353/);
      const reads = command.some(
        (word) => word.startsWith('/run/resolver') || word.includes('=/run/resolver'),
      );
      expect(reads).toBe(Object.keys(files).length > 0);
      expect(
        Object.values(files)
          .join('\n')
          .match(/\/(etc|var|usr)\//),
      ).toBeNull();
    },
  );

  test.each(['unbound', 'bind'])('%s refuses every range of the documented list', (name) => {
    const tool = tools.find((one) => one.name === name);
    const text = Object.values(tool?.setUp(place).files ?? {}).join('\n');
    expect(documentedRanges.filter((range) => !text.includes(range))).toEqual([]);
  });
});

describe('an rpz-ip trigger', () => {
  test.each([
    ['10.0.0.0/8', '8.0.0.0.10.rpz-ip'],
    ['172.16.0.0/12', '12.0.0.16.172.rpz-ip'],
    ['fd00::/8', '8.zz.fd00.rpz-ip'],
    ['::ffff:0:0/96', '96.0.0.ffff.zz.rpz-ip'],
  ])('of %s is %s', (range, trigger) => {
    expect(triggerOf(range)).toBe(trigger);
  });
});
