/**
 * Addresses at which clouds serve credentials, identity and instance data. Each is denied before anything
 * can allow it, embedded or not. One source for DNS pins and the datapath.
 */

export interface CloudEntry {
  readonly prefix: string;
  readonly provider: string;
  readonly purpose: string;
  /** Where the provider says so. */
  readonly source: string;
}

const ec2 = 'Amazon EC2 User Guide';

export const cloudTable: readonly CloudEntry[] = [
  {
    prefix: '169.254.169.254/32',
    provider: 'aws',
    purpose: 'instance metadata',
    source: `${ec2}: instance metadata (also GCP, Azure, Oracle, DigitalOcean, Hetzner, OpenStack)`,
  },
  {
    prefix: '169.254.169.253/32',
    provider: 'aws',
    purpose: 'VPC resolver',
    source: 'Amazon VPC User Guide: DNS',
  },
  { prefix: '169.254.169.123/32', provider: 'aws', purpose: 'time', source: `${ec2}: time sync` },
  {
    prefix: '169.254.170.2/32',
    provider: 'aws',
    purpose: 'ECS task credentials',
    source: 'Amazon ECS Developer Guide: task IAM role',
  },
  {
    prefix: '169.254.170.23/32',
    provider: 'aws',
    purpose: 'EKS pod identity',
    source: 'Amazon EKS User Guide: pod identity agent',
  },
  {
    prefix: 'fd00:ec2::254/128',
    provider: 'aws',
    purpose: 'instance metadata',
    source: `${ec2}: instance metadata over IPv6`,
  },
  {
    prefix: 'fd00:ec2::253/128',
    provider: 'aws',
    purpose: 'VPC resolver',
    source: 'Amazon VPC User Guide: DNS',
  },
  { prefix: 'fd00:ec2::123/128', provider: 'aws', purpose: 'time', source: `${ec2}: time sync` },
  {
    prefix: 'fd00:ec2::23/128',
    provider: 'aws',
    purpose: 'EKS pod identity',
    source: 'Amazon EKS User Guide: pod identity agent',
  },
  {
    prefix: 'fd20:ce::254/128',
    provider: 'gcp',
    purpose: 'metadata server',
    source: 'Google Compute Engine: metadata server over IPv6',
  },
  {
    prefix: '168.63.129.16/32',
    provider: 'azure',
    purpose: 'wire server',
    source: 'Azure Virtual Network: what is IP address 168.63.129.16',
  },
  {
    prefix: '192.0.0.192/32',
    provider: 'oracle',
    purpose: 'instance metadata, classic',
    source: 'Oracle Cloud Infrastructure: instance metadata',
  },
  {
    prefix: '100.100.100.200/32',
    provider: 'alibaba',
    purpose: 'instance metadata',
    source: 'Alibaba Cloud ECS: instance metadata',
  },
  {
    prefix: '169.254.0.23/32',
    provider: 'tencent',
    purpose: 'instance metadata',
    source: 'Tencent Cloud CVM: instance metadata',
  },
  {
    prefix: '169.254.42.42/32',
    provider: 'scaleway',
    purpose: 'instance metadata',
    source: 'Scaleway Instances: metadata',
  },
  {
    prefix: 'fd00:42::42/128',
    provider: 'scaleway',
    purpose: 'instance metadata',
    source: 'Scaleway Instances: metadata over IPv6',
  },
  {
    prefix: 'fe80::a9fe:a9fe/128',
    provider: 'openstack',
    purpose: 'metadata service',
    source: 'OpenStack Nova: metadata service over IPv6',
  },
];
