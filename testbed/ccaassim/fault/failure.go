// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/internal/flags"
)

// Failure is an HTTP status in place of an answer: the next Times requests, or
// all of them. The zero Failure is none.
type Failure struct {
	Status     int
	Times      int           // 0: every time
	RetryAfter time.Duration // 0: no such header
}

func (f Failure) validate(flag string) error {
	if f == (Failure{}) {
		return nil
	}
	return errors.Join(
		flags.Need(f.Status >= 300 && http.StatusText(f.Status) != "", flag, f, "an HTTP status from 300 on"),
		flags.Need(f.Times >= 0, flag, f, "a count of 0 (always) or more"),
		flags.Need(f.RetryAfter >= 0, flag, f, "a retry-after of 0 or more"),
	)
}

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

// Rejection is which topics are rejected: a share of all, or those that contain
// one of the texts.
type Rejection struct {
	Share float64
	Texts []string
}

// String is the rejection as its flag takes it.
func (r Rejection) String() string {
	if r.Share > 0 {
		return strconv.FormatFloat(r.Share, 'g', -1, 64)
	}
	return strings.Join(r.Texts, ",")
}

// Set reads what String writes.
func (r *Rejection) Set(text string) error {
	*r = Rejection{}
	if text == "" {
		return nil
	}
	if share, err := strconv.ParseFloat(text, 64); err == nil {
		r.Share = share
		return nil
	}
	r.Texts = strings.Split(text, ",")
	return nil
}

// Rejects reports whether a topic is rejected.
func (r Rejection) Rejects(topic string) bool {
	for _, text := range r.Texts {
		if strings.Contains(topic, text) {
			return true
		}
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(topic)) // never fails
	return float64(hash.Sum32()) < r.Share*math.MaxUint32
}
