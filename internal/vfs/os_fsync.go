//go:build !mutant_no_fsync

package vfs

// syncsData is false only in a program that a test has to find out: one that answers before its data is synced.
const syncsData = true
