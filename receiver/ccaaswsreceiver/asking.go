// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	// spareInterval is the time between two checks for a request that is left over.
	spareInterval = 100 * time.Millisecond
	// maxAttempts is how often a request is sent that fails for a reason that passes.
	maxAttempts = 12
)

// ask sends a request when there is one left over, again while it fails for a reason that
// passes.
func (r *reconciler) ask(ctx context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure) {
	return r.askUpTo(ctx, call, maxAttempts)
}

// askOnce sends a request when there is one left over.
func (r *reconciler) askOnce(ctx context.Context, call *wsclient.Call) ([]byte, *wsclient.Failure) {
	return r.askUpTo(ctx, call, 1)
}

func (r *reconciler) askUpTo(ctx context.Context, call *wsclient.Call, attempts int) ([]byte, *wsclient.Failure) {
	refused := false
	r.permission = call.Permission
	for attempt := 1; ; attempt++ {
		for !wsclient.HasSpare(r.client) || r.pace.Wait(time.Now()) > 0 {
			if !pause.For(ctx, max(r.pace.Wait(time.Now()), spareInterval)) {
				return nil, wsclient.NewFailure(wsclient.Shutdown, false, ctx.Err())
			}
		}
		access, failure := r.token(ctx)
		noToken := failure != nil
		var body []byte
		if failure == nil {
			r.pace.Sent(time.Now())
			call.Token = access.Token
			call.Answered = func(header http.Header) { r.pace.Answered(header, time.Now()) }
			body, failure = wsclient.Do(ctx, r.client, call)
		}
		r.countRequest(failure)
		switch {
		case failure == nil:
			r.pace.Succeeded()
			return body, nil
		case failure.Status == http.StatusUnauthorized && !refused && access.Token != "":
			refused = true
			r.tokens.Reject(access.Token)
		case noToken && attempt >= attempts: // the sockets report it, and this is no missing permission
			return nil, wsclient.NewFailure(failure.Cause, false, failure)
		case failure.Permanent && !noToken || ctx.Err() != nil:
			return nil, failure
		default:
			r.pace.Failed(failure.RetryAfter, time.Now())
			if attempt >= attempts {
				return nil, failure
			}
		}
	}
}

// token returns the token of requests; none where none is configured.
func (r *reconciler) token(ctx context.Context) (wsclient.Access, *wsclient.Failure) {
	if r.tokens == nil {
		return wsclient.Access{}, nil
	}
	return r.tokens.Get(ctx)
}

func (r *reconciler) countRequest(failure *wsclient.Failure) {
	result := "ok"
	if failure != nil {
		result = string(failure.Cause)
	}
	r.telemetry.requested(result)
}

// failed reports a failure of a function. One that an administrator has to resolve
// switches the function off.
func (r *reconciler) failed(ctx context.Context, function api.Function, failure *wsclient.Failure) (off bool) {
	if ctx.Err() != nil {
		return true
	}
	if errors.Is(failure, api.ErrTooMany) { // the gap is given up
		return false
	}
	if !failure.Permanent {
		r.logger.Warn("The platform cannot be asked; trying again later", zap.String("function", string(function)), zap.Error(failure))
		return false
	}
	permission := r.permission
	if !r.off[function] {
		r.logger.Error("The platform refuses a request; the function is off until a restart, everything else goes on",
			zap.String("function", string(function)), zap.String("missing_permission", permission), zap.Error(failure))
	}
	r.off[function] = true
	err := fmt.Errorf("initial_state: %s is off: %w", function, failure)
	if permission != "" && failure.Cause == wsclient.Unauthorized {
		err = fmt.Errorf("initial_state: %s is off: the role of the OAuth client lacks %s: %w", function, permission, failure)
	}
	r.status.set(r.target.number, historyTrouble, err)
	return true
}
