//go:build !mutant_no_fsync

package vfs

// syncsFiles is false only in a program that a test has to find out: one that does not sync its files.
const syncsFiles = true
