import { existsSync } from 'node:fs';
import type { Program } from '../support/programs.ts';

/** In front of two instances, and to check `deploy/nginx.conf`. */
export const nginx: Program = {
  names: ['nginx', '../sbin/nginx'],
  debian: 'nginx',
  alpine: 'nginx',
  homebrew: 'nginx',
};

/** To check the unit. */
export const systemdAnalyze: Program = {
  names: ['systemd-analyze'],
  debian: 'systemd',
  alpine: 'systemd',
  homebrew: 'systemd',
};

/** Whether units mean anything here. */
export const hasSystemd = process.platform === 'linux' && !existsSync('/etc/alpine-release');
