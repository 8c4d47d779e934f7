//go:build !failpoints

package failpoint

// Enabled says whether the points are in the program.
const Enabled = false

// Hit does nothing.
func Hit(string) {}

// Fail does nothing and returns nil.
func Fail(string) error { return nil }
