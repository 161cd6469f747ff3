# The probe's boot sector (accelerator-probe.ts holds its 512 bytes). It does what a stock kernel does first and what
# kernels without real virtualization support fail at: BIOS interrupts, long mode, cmpxchg16b, xrstor, int3; then it
# prints its line on COM1. To make the bytes: as --64 probe-sector.s -o p.o
# && ld -m elf_x86_64 -Ttext 0x7c00 --oformat binary -o p.bin p.o && base64 -w 110 p.bin
.code16
.globl _start
_start:
  cli
  xorw %ax,%ax
  movw %ax,%ds
  movw %ax,%es
  movw %ax,%ss
  movw $0x7000,%sp
  # a BIOS call and a real-mode software interrupt: both return by iret
  sti
  movb $0x12,%ah
  int $0x12
  movb $0x02,%ah
  int $0x1a
  cli
  # identity map of the first 2 MiB: PML4 at 0x1000, PDPT 0x2000, PD 0x3000, IDT at 0x4000
  movw $0x1000,%di
  movw $0x2000,%cx
  xorl %eax,%eax
  cld
  rep stosw
  movw $0x2003,0x1000
  movw $0x3003,0x2000
  movw $0x0083,0x3000
  # IDT entry 3 (int3): 64-bit interrupt gate
  movw $on_int3,0x4030
  movw $8,0x4032
  movw $0x8e00,0x4034
  movl $0x620,%eax          # CR4: PAE, OSFXSR, OSXMMEXCPT
  movl %eax,%cr4
  movl $0x1000,%eax
  movl %eax,%cr3
  movl $0xc0000080,%ecx     # EFER.LME
  rdmsr
  orw $0x100,%ax
  wrmsr
  lgdt gdt_pointer
  movl $0x80000011,%eax     # PG, ET, PE
  movl %eax,%cr0
  ljmp $8,$long_mode
.code64
long_mode:
  movw $16,%ax
  movw %ax,%ds
  movw %ax,%es
  movw %ax,%ss
  movl $0x7000,%esp
  lidt idt_pointer
  # cmpxchg16b of zeros at 0x5000 puts rcx:rbx there
  xorl %eax,%eax
  xorl %edx,%edx
  movl $0x5000,%edi
  movl $0x11,%ebx
  movl $0x22,%ecx
  lock cmpxchg16b (%rdi)
  jnz dead
  cmpb $0x22,8(%rdi)
  jne dead
  # fxsave / fxrstor and, where the processor has it, xsave / xrstor
  movl $0x5200,%edi
  fxsave64 (%rdi)
  fxrstor64 (%rdi)
  movl $1,%eax
  cpuid
  btl $26,%ecx
  jnc no_xsave
  movq %cr4,%rax
  btsl $18,%eax
  movq %rax,%cr4
  xorl %ecx,%ecx
  xgetbv
  orb $3,%al
  xsetbv
  movl $0x5400,%edi
  xsave64 (%rdi)
  xrstor64 (%rdi)
no_xsave:
  xorl %ebp,%ebp
  int3
  cmpb $0x33,%bpl
  jne dead
  movl $message,%esi
  movw $0x3f8,%dx
print:
  lodsb
  testb %al,%al
  jz dead
  outb %al,%dx
  jmp print
dead:
  hlt
  jmp dead
on_int3:
  movb $0x33,%bpl
  iretq
message: .asciz "goldleaf-probe ok\n"
.align 4
gdt:
  .quad 0
  .quad 0x00209a0000000000
  .quad 0x0000920000000000
gdt_pointer: .word 23
  .long gdt
idt_pointer: .word 63
  .quad 0x4000
.org 510
.word 0xaa55
