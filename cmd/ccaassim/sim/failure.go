// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the failure as its flag takes it: status[:times[:retry-after]].
func (f Failure) String() string {
	switch {
	case f.Status == 0:
		return ""
	case f.RetryAfter > 0:
		return fmt.Sprintf("%d:%d:%s", f.Status, f.Times, f.RetryAfter)
	case f.Times > 0:
		return fmt.Sprintf("%d:%d", f.Status, f.Times)
	default:
		return strconv.Itoa(f.Status)
	}
}

// Set reads what String writes.
func (f *Failure) Set(text string) error {
	var read Failure
	if text == "" {
		*f = read
		return nil
	}
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return fmt.Errorf("%q: want status[:times[:retry-after]], as in 429:3:2s", text)
	}
	var err error
	if read.Status, err = strconv.Atoi(parts[0]); err != nil {
		return fmt.Errorf("status %q: want a number, as in 503", parts[0])
	}
	if len(parts) > 1 {
		if read.Times, err = strconv.Atoi(parts[1]); err != nil {
			return fmt.Errorf("times %q: want a number, 0 for always", parts[1])
		}
	}
	if len(parts) > 2 {
		if read.RetryAfter, err = time.ParseDuration(parts[2]); err != nil {
			return fmt.Errorf("retry-after %q: want a duration, as in 2s", parts[2])
		}
	}
	*f = read
	return nil
}
