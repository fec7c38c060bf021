/**
 * A disk with an empty file system: ext4 with a journal and checksums (crc32c), as e2fsprogs 1.47 makes it by
 * `mke2fs -t ext4 -b 1024 -N 16 -J size=1` on 4 MiB, lazy initialisation off and its UUIDs fixed.
 */
import { brotliDecompressSync } from 'node:zlib';

const compressed = [
  'm///P+CO1FktOJbxAI37ejN/vrB72vVJSEKIUD+HAoZyFa5M/y5eYgbUAwEcmuf/cnp+74SOaGw9Oj6hsWuDn0htogCnXZp5gpEs',
  'glvU+APD9TwAjhKJJPh3a/9NBKmDu9atZXoLhqfcWq1xbuYhmmWyCAAwEANpALa/yO/g///174NwQ4PfPShDYC7uRnYkgIUOA4Gp',
  '9lIt8B9gKIawUIWgdsvSZxIAAiYhoI4paOADlr9KH6OBBgpviBSYym9rIxPtRBMPNO8PxmQsRrOcFSXweMaF11k9t7ivTVD6Ndol',
  'cx0A4PtfcEwv4dzD/7U2oiLE8bggolk7yniaKcXEZSpjMo/JYqZnHoFkFZ5v+bRgdXnyky8y+Wa3+LR6TefJgfAFLF6+HwDTRq94',
  'pD/mmUFCFjnkUUARJZRRQRU11NFAC1rRB33RD/0xAG1oRwc60YVu9KAXAzEI8e05s84fMVKnBE7jSfxb5HUbzv2f//s7y+USPANA',
  '1uYXeB0ADPChyZZ8uwgp+GNkRgQFUPqcBICAIUpYO8RAQ48PQioy6uvTmCNc7zwQbm1egB9bpRUOH8HElBa/SQYLETKx3TsJID9O',
  'fvCaGrayAhTAxlAwfImBi7cZ6Nxciz/Ctc8V4A/2a7nbizDRx6+L2jCbZgVDad/sQf3a7rKk3McB',
].join('');

export const ext4Disk = (): Buffer => brotliDecompressSync(Buffer.from(compressed, 'base64'));
