//go:build !linux

package embedded

// lowerPriority does nothing where a thread's priority is not its own.
func lowerPriority() {}
