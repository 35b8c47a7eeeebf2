// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestASilentSocketByItsAge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		trouble Trouble
		age     time.Duration
		want    bool
	}{
		{Trouble{}, time.Hour, false},
		{Trouble{Silence: true}, 0, true},
		{Trouble{SilenceAfter: time.Second}, 999 * time.Millisecond, false},
		{Trouble{SilenceAfter: time.Second}, time.Hour, true},
		{Trouble{SilenceAfter: time.Second, SilenceFor: time.Second}, 1999 * time.Millisecond, true},
		{Trouble{SilenceAfter: time.Second, SilenceFor: time.Second}, 2 * time.Second, false},
	} {
		assert.Equal(t, test.want, test.trouble.Silent(test.age), "%+v at %s", test.trouble, test.age)
	}
}
