// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package partitioned

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

func delivering(t *testing.T, take func() error) (*Engine, *int) {
	t.Helper()
	offers := 0
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		offers++
		return take()
	})
	require.NoError(t, err)
	engine, _ := newEngine(t, OTLPProto, next)
	return engine, &offers
}

func TestDeliver_RetriesUntilAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusals := 5
		r, offers := delivering(t, func() error {
			if refusals--; refusals >= 0 {
				return errors.New("no room")
			}
			return nil
		})
		require.NoError(t, r.deliver(t.Context(), zap.NewNop(), sample(t, "acme_corp")))
		assert.Equal(t, 6, *offers)
	})
}

func TestDeliver_PermanentlyRefusedBatchIsDropped(t *testing.T) {
	t.Parallel()
	r, offers := delivering(t, func() error { return consumererror.NewPermanent(errors.New("never")) })
	require.NoError(t, r.deliver(t.Context(), zap.NewNop(), sample(t, "acme_corp")))
	assert.Equal(t, 1, *offers)
}

func TestDeliver_EndsWithTheAssignment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, lose := context.WithCancelCause(t.Context())
		r, offers := delivering(t, func() error {
			lose(ErrRevoked)
			return errors.New("no room")
		})
		require.ErrorIs(t, r.deliver(ctx, zap.NewNop(), sample(t, "acme_corp")), ErrRevoked)
		assert.Equal(t, 1, *offers)
	})
}
