//go:build !mutant_no_dirsync

package vfs

// syncsDirs is false only in a program that a test has to find out: one that does not sync its directories.
const syncsDirs = true
