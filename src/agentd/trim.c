/* SPDX-License-Identifier: Apache-2.0 */
/* trim.c - a small resident set at rest. */
#include "trim.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Read-only segments are as they are in the file: MADV_DONTNEED loses nothing (madvise(2), "will
 * result in repopulating the memory contents from the up-to-date contents of the underlying mapped
 * file"). Writable ones hold relocations and data and stay. */
static int trim_object(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t page = *(const uintptr_t *)data;

	(void)size;
	for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start, end;

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
			continue;
		start = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
		/* The last page may hold the start of the next segment. */
		end = (info->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
		if (end > start)
			/* The address is a number of the loader's, not a pointer into an object. */
			/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(trim_object, &page);
}
