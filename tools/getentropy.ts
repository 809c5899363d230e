/**
 * getentropy(buffer, length) in machine code, for files that run where libc has none. Answers 0, or
 * -1 when the kernel gives no random bytes; unlike glibc's it leaves errno alone. Calls nothing but
 * the kernel, keeps nothing, and runs wherever it is put. The bytes stand beside their assembly, and
 * a test assembles that and compares.
 */

/** Machine code in hex, and the assembly it is; a label has no bytes. */
export type Instruction = readonly [hex: string, assembly: string];

/** Arguments in rdi and rsi, answer in eax; a system call destroys only rax, rcx and r11. */
export const GETENTROPY_X64: readonly Instruction[] = [
  ["48 81 fe 00 01 00 00", "cmp rsi, 256"], // more than 256 bytes are refused, as by glibc
  ["77 47", "ja failed"],
  ["31 d2", "xor edx, edx"],
  ["", "again:"],
  ["b8 3e 01 00 00", "mov eax, 318"], // getrandom(buffer, length, 0)
  ["0f 05", "syscall"],
  ["48 83 f8 fc", "cmp rax, -4"], // EINTR: a signal came while the kernel was still gathering
  ["74 f3", "je again"],
  ["48 39 f0", "cmp rax, rsi"], // every byte asked for
  ["74 30", "je done"],
  ["57", "push rdi"], // anything else, mostly ENOSYS before Linux 3.17: the device
  ["56", "push rsi"],
  ["48 8d 3d 2e 00 00 00", "lea rdi, [rip + device]"],
  ["be 00 00 08 00", "mov esi, 0x80000"], // O_RDONLY | O_CLOEXEC
  ["b8 02 00 00 00", "mov eax, 2"], // open(device, flags)
  ["0f 05", "syscall"],
  ["5a", "pop rdx"],
  ["5e", "pop rsi"],
  ["85 c0", "test eax, eax"],
  ["78 18", "js failed"],
  ["89 c7", "mov edi, eax"], // read(descriptor, buffer, length)
  ["31 c0", "xor eax, eax"],
  ["0f 05", "syscall"],
  ["49 89 c0", "mov r8, rax"],
  ["b8 03 00 00 00", "mov eax, 3"], // close(descriptor)
  ["0f 05", "syscall"],
  ["49 39 d0", "cmp r8, rdx"],
  ["75 03", "jne failed"],
  ["", "done:"],
  ["31 c0", "xor eax, eax"],
  ["c3", "ret"],
  ["", "failed:"],
  ["83 c8 ff", "or eax, -1"],
  ["c3", "ret"],
  ["", "device:"],
  ["2f 64 65 76 2f 75 72 61 6e 64 6f 6d 00", '.asciz "/dev/urandom"'],
];

/** Arguments in x0 and x1, answer in w0; a system call destroys only x0. */
export const GETENTROPY_ARM64: readonly Instruction[] = [
  ["3f 00 04 f1", "cmp x1, #256"], // more than 256 bytes are refused, as by glibc
  ["e8 03 00 54", "b.hi failed"],
  ["e9 03 00 aa", "mov x9, x0"],
  ["ea 03 01 aa", "mov x10, x1"],
  ["", "again:"],
  ["e0 03 09 aa", "mov x0, x9"],
  ["e1 03 0a aa", "mov x1, x10"],
  ["02 00 80 d2", "mov x2, #0"],
  ["c8 22 80 d2", "mov x8, #278"], // getrandom(buffer, length, 0)
  ["01 00 00 d4", "svc #0"],
  ["1f 10 00 b1", "cmn x0, #4"], // EINTR: a signal came while the kernel was still gathering
  ["40 ff ff 54", "b.eq again"],
  ["1f 00 0a eb", "cmp x0, x10"], // every byte asked for
  ["40 02 00 54", "b.eq done"],
  ["60 0c 80 92", "mov x0, #-100"], // anything else, mostly ENOSYS before Linux 3.17: the device
  ["81 02 00 10", "adr x1, device"],
  ["02 01 a0 d2", "mov x2, #0x80000"], // O_RDONLY | O_CLOEXEC
  ["08 07 80 d2", "mov x8, #56"], // openat(AT_FDCWD, device, flags)
  ["01 00 00 d4", "svc #0"],
  ["c0 01 f8 37", "tbnz w0, #31, failed"],
  ["eb 03 00 aa", "mov x11, x0"],
  ["e1 03 09 aa", "mov x1, x9"],
  ["e2 03 0a aa", "mov x2, x10"],
  ["e8 07 80 d2", "mov x8, #63"], // read(descriptor, buffer, length)
  ["01 00 00 d4", "svc #0"],
  ["ec 03 00 aa", "mov x12, x0"],
  ["e0 03 0b aa", "mov x0, x11"],
  ["28 07 80 d2", "mov x8, #57"], // close(descriptor)
  ["01 00 00 d4", "svc #0"],
  ["9f 01 0a eb", "cmp x12, x10"],
  ["61 00 00 54", "b.ne failed"],
  ["", "done:"],
  ["00 00 80 52", "mov w0, #0"],
  ["c0 03 5f d6", "ret"],
  ["", "failed:"],
  ["00 00 80 12", "mov w0, #-1"],
  ["c0 03 5f d6", "ret"],
  ["", "device:"],
  ["2f 64 65 76 2f 75 72 61 6e 64 6f 6d 00", '.asciz "/dev/urandom"'],
];

/** The code as bytes. */
export function machineCode(instructions: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const hex = instructions.map(([hex]) => hex).filter((hex) => hex !== "").join(" ");
  return Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));
}
