/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io-model.h - what a device can do, measured: the six numbers of io.cost.model (Documentation/
 * admin-guide/cgroup-v2.rst), by direct IO of threads on a file that has no name, so that nothing
 * is left behind however it ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum io_model_value {
	IO_MODEL_RBPS,
	IO_MODEL_RSEQIOPS,
	IO_MODEL_RRANDIOPS,
	IO_MODEL_WBPS,
	IO_MODEL_WSEQIOPS,
	IO_MODEL_WRANDIOPS,
	IO_MODEL_VALUES
};

extern const char *const io_model_names[IO_MODEL_VALUES]; /* "rbps" */

struct io_model_options {
	uint64_t file_bytes;
	uint64_t step_usec; /* of each of the six; filling takes at most ten of these */
	/* Told a few times a second: what is measured, and how far all of it is, in hundredths. May
	 * be NULL. */
	void (*progress)(const char *what, unsigned int percent);
	const volatile int *stop; /* becomes not 0: end soon, -ECANCELED */
};

/* What to measure on, and what it is called. */
struct io_model_place {
	int fd;          /* open for direct IO, the caller's to close */
	uint64_t bytes;  /* of a device its size, else 0 */
	uint64_t device; /* dev_t of the whole disk; 0: the file system has none of its own */
	char name[64];   /* "sda"; "" where device is 0 */
};

/* path: a directory, a file that is not there yet, or a block device. A device that has a mounted
 * file system is measured there; a raw one only with destructive, which overwrites it. 0; -errno
 * with reterr for people. */
int io_model_open(const char *path, bool destructive, struct io_model_place *ret, char *reterr,
		  size_t size);

/* 0; -ECANCELED; -ENOSPC: too little room; -errno of the IO that failed. */
int io_model_measure(const struct io_model_place *place, const struct io_model_options *options,
		     uint64_t ret[static IO_MODEL_VALUES]);
