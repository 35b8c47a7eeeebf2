// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package calendar

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// durationForm is RFC 5545's: P1W, P1DT2H, PT90M.
var durationForm = regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?$`)

func parseDuration(text string) (time.Duration, error) {
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, &propertyError{name: "DURATION", value: text, err: fmt.Errorf("%q is none", text)}
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(parts[i+1]) // digits or nothing
		total += time.Duration(n) * unit
	}
	return total, nil
}
