// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// Partitions and the group may have errors at the same time; the status is OK when none
// has.
func TestStatus(t *testing.T) {
	t.Parallel()
	var emitted []componentstatus.Status
	s := NewStatus(func(event *componentstatus.Event) { emitted = append(emitted, event.Status()) })
	ctx, cancel := context.WithCancel(t.Context())
	s.Set(ctx, 1, nil)
	assert.Empty(t, emitted)
	s.Set(ctx, 1, errors.New("one"))
	s.Set(ctx, 1, errors.New("one"))
	s.Set(ctx, Ends, errors.New("two"))
	s.Set(ctx, 1, nil)
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusRecoverableError}, emitted)
	cancel()
	s.Set(ctx, Ends, errors.New("it ended"))
	assert.Equal(t, componentstatus.StatusOK, emitted[len(emitted)-1])
}
