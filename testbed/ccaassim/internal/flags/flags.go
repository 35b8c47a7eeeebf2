// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package flags has the checks and flag values that the simulator's settings share.
package flags

import (
	"fmt"
	"slices"
	"strings"
)

// Need returns nil if ok, otherwise an error that names the flag, the value and the
// requirement.
func Need(ok bool, flag string, value any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("--%s %v: want %s", flag, value, want)
}

// OneOf requires one of some values.
func OneOf[T ~string](flag string, value T, allowed ...T) error {
	return Need(slices.Contains(allowed, value), flag, value, "one of "+strings.Trim(fmt.Sprint(allowed), "[]"))
}

// Percent requires 0 to 100.
func Percent(flag string, value float64) error {
	return Need(value >= 0 && value <= 100, flag, value, "0 to 100 percent")
}

// Share requires 0 to 1.
func Share(flag string, value float64) error {
	return Need(value >= 0 && value <= 1, flag, value, "a share from 0 to 1")
}

// Named reports whether there are names and none is empty.
func Named(names []string) bool {
	return len(names) > 0 && !slices.Contains(names, "")
}

// List is a flag of names separated by commas.
type List []string

// String is the names, as Set takes them.
func (l *List) String() string { return strings.Join(*l, ",") }

// Set replaces the names.
func (l *List) Set(value string) error {
	*l = nil
	if value != "" {
		*l = strings.Split(value, ",")
	}
	return nil
}

// Text is a string flag of a named type.
type Text string

// String is the value.
func (t *Text) String() string { return string(*t) }

// Set replaces the value.
func (t *Text) Set(value string) error {
	*t = Text(value)
	return nil
}
