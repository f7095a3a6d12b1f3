/**
 * Keeps new connections away from a listener that is about to close or has no room: when a listener closes, the system resets the connections
 * in its queue.
 * All listeners of a port form one group (SO_REUSEPORT), in the order in which they were opened; a small BPF program in the kernel chooses the
 * listener of a new connection. Where that is not possible, a few connections may be reset, and nothing else changes.
 */
import { ptr } from "bun:ffi";
import { openLibc } from "./libc";
import { SOL_SOCKET, toListeners } from "./listeners";

const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;

/** Classic BPF: operation, instructions to skip if true, if false, operand. */
type Instruction = readonly [operation: number, ifTrue: number, ifFalse: number, operand: number];

const LOAD_WORD = 0x20;
const LOAD_BYTE = 0x30;
const ADD = 0x04;
const AND = 0x54;
const MODULO = 0x94;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const RETURN_VALUE = 0x16;

/** Reading from this address gives a random number. */
const RANDOM = 0xfffff038;
/** Offset in a TCP header. */
const FLAGS_AT = 13;
const SYN = 0x02;
const SYN_OR_ACK = 0x12;
const WHOLE = 0xffffffff;

/** New connections go to `count` listeners of the group, starting at index `from`. Every process that listens in the group may call this. */
export function steerTo(from: number, count: number): void {
  attach(SO_ATTACH_REUSEPORT_CBPF, [
    [LOAD_WORD, 0, 0, RANDOM],
    [MODULO, 0, 0, count],
    [ADD, 0, 0, from],
    [RETURN_VALUE, 0, 0, 0],
  ]);
}

/** New connections go to all listeners equally again. */
export function steerNoMore(): void {
  toListeners((set, descriptor) => set(descriptor, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, new Uint8Array(4)));
}

/**
 * From now on new connections to this process's listener are not accepted; the client's system retries after a second, and another listener
 * takes them then. Connections whose handshake has started are still accepted.
 */
export function ignoreNewConnections(): void {
  attach(SO_ATTACH_FILTER, [
    [LOAD_BYTE, 0, 0, FLAGS_AT],
    [AND, 0, 0, SYN_OR_ACK],
    [JUMP_IF_EQUAL, 0, 1, SYN],
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, WHOLE],
  ]);
}

/** New connections to this process's listener are accepted again. */
export function takeNewConnections(): void {
  toListeners((set, descriptor) => set(descriptor, SOL_SOCKET, SO_DETACH_FILTER, new Uint8Array(4)));
}

/** Closes the connections that wait to be accepted by this process. */
export function dropWaiting(): void {
  const libc = openLibc({
    accept: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
  if (libc === undefined) return;
  toListeners((_, listener) => {
    // The listener is non-blocking: with an empty queue, accept returns a negative number.
    for (let one = libc.accept(listener, null, null); one >= 0; one = libc.accept(listener, null, null))
      libc.close(one);
    return 0;
  });
}

function attach(option: number, instructions: readonly Instruction[]): void {
  const program = Buffer.alloc(8 * instructions.length);
  for (const [i, [operation, ifTrue, ifFalse, operand]] of instructions.entries()) {
    program.writeUInt16LE(operation, 8 * i);
    program.writeUInt8(ifTrue, 8 * i + 2);
    program.writeUInt8(ifFalse, 8 * i + 3);
    program.writeUInt32LE(operand, 8 * i + 4);
  }
  const described = Buffer.alloc(16);
  described.writeUInt16LE(instructions.length, 0);
  described.writeBigUInt64LE(BigInt(ptr(program)), 8);
  toListeners((set, descriptor) => {
    set(descriptor, SOL_SOCKET, option, described);
    // The struct contains the program's address, so the program must not be freed before this point.
    return program.length;
  });
}
