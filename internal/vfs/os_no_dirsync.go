//go:build mutant_no_dirsync

package vfs

const syncsDirs = false
