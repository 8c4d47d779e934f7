//go:build mutant_no_fsync

package vfs

const syncsData = false
