//go:build !failpoints

package main

import "penstock/store/embedded"

// hurried returns the options as they are.
func hurried(o embedded.Options) embedded.Options { return o }
