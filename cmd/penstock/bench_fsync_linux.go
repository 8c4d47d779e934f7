package main

import (
	"os"
	"syscall"
)

// syncData makes a file's contents durable, without its times.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
