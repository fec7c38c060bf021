/** The tools whose rulesets are captured, in the order in which docs/rulesets.md shows them. */
import type { RulesetTool } from './ruleset-tool.ts';
import { tool as cni } from './tools/cni.ts';
import { tool as docker } from './tools/docker.ts';
import { tool as firewalld } from './tools/firewalld.ts';
import { tool as libvirt } from './tools/libvirt.ts';
import { tool as netavark } from './tools/netavark.ts';
import { tool as ufw } from './tools/ufw.ts';

export const tools: readonly RulesetTool[] = [libvirt, netavark, cni, docker, firewalld, ufw];
