//go:build !linux

package killtest

import "flag"

var mutant = flag.String("mutant", "", "not here")
