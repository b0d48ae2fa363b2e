import type { WebSocket } from 'ws';

/**
 * Resolves when the kernel has taken the message, so that whoever produces messages goes no faster than the peer reads.
 * Also when the socket is gone: its close event tells.
 */
export function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.OPEN) socket.send(text, () => resolve());
    else resolve();
  });
}
