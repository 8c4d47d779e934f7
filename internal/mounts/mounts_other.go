//go:build !linux

package mounts
