// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"math"
	"time"
)

// nothing is the lowest lag of no events.
const nothing = time.Duration(math.MaxInt64)

// second is what is kept of the events of a second.
type second struct {
	closed time.Duration // when it was over
	near   time.Duration // lowest lag that was not below the floor
	under  time.Duration // lowest lag that was
	events int64
	below  int64 // events below the floor
}

func emptySecond() second { return second{near: nothing, under: nothing} }

// mostlyBelow reports whether most events of the second are below the floor: another
// level, and not a few events with a time in the future.
func (s *second) mostlyBelow() bool { return 2*s.below > s.events }

// lag is the second's: the lowest one, unless only a minority is below the floor.
func (s *second) lag() time.Duration {
	if s.mostlyBelow() {
		return s.under
	}
	return s.near
}
