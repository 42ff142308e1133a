import { describe, expect, it } from 'vitest';
import {
  pausedByDeadGrant,
  scopes,
  session,
  taskWithDeadGrant,
  walk,
} from './reauthorized-task.ts';
import { alice, createWorld, reading } from './world.ts';

describe('authorizing again', () => {
  it('in a browser takes the user’s word for the pause, which can then be resumed', async () => {
    const setting = await taskWithDeadGrant();
    const { world, outlive, pause, task } = setting;
    await using _ = world;
    expect(pause).toMatchObject({ reason: { code: 'reauthorization_required' }, status: 'open' });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'waiting' });

    const url = await walk(setting, { pauseId: pause.id });
    expect(await outlive.connect.callback({ url, session, principal: alice })).toMatchObject({
      status: 'connected',
      pauses: [{ status: 'decided', pause: { id: pause.id, decision: { by: [{ as: 'user' }] } } }],
    });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
    expect((await task.getAccessToken(reading)).generation).toBe(1);
    const { entries } = await outlive.explain(task.id);
    expect(entries.find(({ type }) => type === 'decision-made')).toMatchObject({
      by: 'alice',
      reason: 'as user',
    });
  });

  it('is the word for every task of the person that waited for it, also from another process', async () => {
    const { world, outlive, pause, second } = await taskWithDeadGrant();
    await using _ = world;
    const other = await pausedByDeadGrant(world, second);
    const elsewhere = world.start().outlive;
    const url = await walk({ world, outlive: elsewhere }, { pauseId: pause.id });
    const result = await elsewhere.connect.callback({ url, session });
    if (result.status !== 'connected') throw new Error(result.status);
    expect(result.pauses.map((one) => [one.status, one.pause.id]).toSorted()).toEqual(
      [
        ['decided', pause.id],
        ['decided', other.id],
      ].toSorted(),
    );
    for (const { id } of [pause, other])
      expect(await outlive.resume(id)).toMatchObject({ status: 'resumed' });
  });

  it('leaves a pause alone that the app made itself', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const process = world.start();
    await world.grant(process, { issuerSubject: 'alice' });
    const task = await world.task(process);
    const pause = await task.pause('quota');
    const url = await walk({ world, outlive: process.outlive });
    expect(await process.outlive.connect.callback({ url, session })).toMatchObject({ pauses: [] });
    expect(await process.outlive.pause(pause?.id ?? '')).toMatchObject({ status: 'open' });
  });

  it('is the user’s word and nobody else’s: what cannot be undone waits for the admin still', async () => {
    const setting = await taskWithDeadGrant('irreversible');
    const { world, outlive, pause } = setting;
    await using _ = world;
    const url = await walk(setting, { pauseId: pause.id });
    expect(await outlive.connect.callback({ url, session })).toMatchObject({
      pauses: [{ status: 'waiting', missing: ['admin'] }],
    });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'waiting' });
    expect(await outlive.decide(pause.id, { decision: 'resume', by: 'root' })).toMatchObject({
      status: 'decided',
    });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('is no word for what cannot be undone when it was not for that very action', async () => {
    const setting = await taskWithDeadGrant('irreversible');
    const { world, outlive, pause } = setting;
    await using _ = world;
    const url = await walk(setting);
    expect(await outlive.connect.callback({ url, session })).toMatchObject({
      status: 'connected',
      pauses: [],
    });
    expect(await outlive.pause(pause.id)).toMatchObject({ confirmedBy: [] });
  });

  it('with fewer scopes than the call needs leaves the pause as it is', async () => {
    const setting = await taskWithDeadGrant('reversible');
    const { world, outlive, pause } = setting;
    await using _ = world;
    const url = await walk(setting, { pauseId: pause.id, scopes: ['openid', 'read'] });
    expect(await outlive.connect.callback({ url, session })).toMatchObject({
      status: 'connected',
      pauses: [],
    });
  });

  it('tells what the issuer granted beyond what was asked for, and the task does not get it', async () => {
    const setting = await taskWithDeadGrant();
    const { world, outlive, task } = setting;
    await using _ = world;
    const url = await walk(setting, { scopes: ['openid', 'read'] });
    using _generous = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (response) => ({ ...response, scope: 'openid read everything' }),
    }));
    expect(await outlive.connect.callback({ url, session })).toMatchObject({
      status: 'connected',
      unasked: ['everything'],
    });
    expect((await outlive.explain(task.id)).text).toContain(
      'the issuer granted more than was asked for: everything',
    );
    const requirement = { resource: 'api', scopes: ['everything'], effect: 'read' } as const;
    await expect(task.getAccessToken(requirement)).rejects.toThrow();
  });
});

describe('authorizing again by device', () => {
  it('resumes the pause once the person has entered the code, whoever asks the issuer', async () => {
    const { world, outlive, pause } = await taskWithDeadGrant();
    await using _ = world;
    const device = await outlive.connect.device({
      provider: 'p',
      principal: alice,
      scopes,
      pauseId: pause.id,
    });
    expect(device.userCode).toMatch(/^[A-Z0-9-]+$/);
    expect(await outlive.connect.poll(device.connectionId)).toMatchObject({ status: 'pending' });
    expect(world.issuer.counters.tokenRequests).toBe(1);

    const other = world.start();
    world.clock.skip(device.pollEveryMs);
    expect(await other.outlive.maintain()).toMatchObject({ connectionsMade: 0 });
    await world.issuer.authorizeDevice(new URL(device.verificationUrlComplete ?? ''), {
      subject: 'alice',
    });
    world.clock.skip(device.pollEveryMs);
    const reports = await Promise.all([outlive.maintain(), other.outlive.maintain()]);
    expect(reports.map(({ connectionsMade }) => connectionsMade).toSorted()).toEqual([0, 1]);
    expect(await outlive.connect.poll(device.connectionId)).toMatchObject({
      status: 'connected',
      pauses: [{ status: 'decided' }],
    });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('asks no more often than the issuer wants, however many ask', async () => {
    const { world, outlive } = await taskWithDeadGrant();
    await using _ = world;
    const { connectionId, pollEveryMs } = await outlive.connect.device({
      provider: 'p',
      principal: alice,
      scopes,
    });
    const before = world.issuer.counters.tokenRequests;
    world.clock.skip(pollEveryMs);
    const processes = [outlive, world.start().outlive, world.start().outlive];
    await Promise.all(processes.map((one) => one.connect.poll(connectionId)));
    await Promise.all(processes.map((one) => one.maintain()));
    expect(world.issuer.counters.tokenRequests - before).toBe(1);
  });

  it('says that the person refused, or that the code has expired', async () => {
    const { world, outlive, pause } = await taskWithDeadGrant();
    await using _ = world;
    const start = { provider: 'p', principal: alice, scopes, pauseId: pause.id };
    const refused = await outlive.connect.device(start);
    await world.issuer.authorizeDevice(new URL(refused.verificationUrlComplete ?? ''), {
      subject: 'alice',
      decision: 'deny',
    });
    world.clock.skip(refused.pollEveryMs);
    expect(await outlive.connect.poll(refused.connectionId)).toEqual({
      status: 'denied',
      error: 'access_denied',
    });
    const forgotten = await outlive.connect.device(start);
    world.clock.skip(forgotten.expiresAt - world.clock.now());
    expect(await outlive.connect.poll(forgotten.connectionId)).toEqual({
      status: 'denied',
      error: 'expired_token',
    });
    await outlive.maintain();
    await expect(outlive.connect.poll(forgotten.connectionId)).rejects.toMatchObject({
      paths: ['connectionId'],
    });
    expect(await outlive.pause(pause.id)).toMatchObject({ status: 'open', confirmedBy: [] });
  });
});

describe('authorizing again on a phone', () => {
  it('shows what it is for, and resumes the pause once the person has allowed it', async () => {
    const { world, outlive, pause } = await taskWithDeadGrant();
    await using _ = world;
    const { connectionId, pollEveryMs } = await outlive.connect.backchannel({
      provider: 'p',
      principal: alice,
      scopes,
      loginHint: 'alice',
      pauseId: pause.id,
    });
    expect(world.issuer.backchannelRequests).toMatchObject([
      { subject: 'alice', bindingMessage: pause.id.slice(0, 8) },
    ]);
    await world.issuer.answerBackchannel(-1, 'allow');
    world.clock.skip(pollEveryMs);
    expect(await outlive.maintain()).toMatchObject({ connectionsMade: 1 });
    expect(await outlive.connect.poll(connectionId)).toMatchObject({ status: 'connected' });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('changes nothing when the person says no', async () => {
    const { world, outlive, pause } = await taskWithDeadGrant();
    await using _ = world;
    const { connectionId, pollEveryMs } = await outlive.connect.backchannel({
      provider: 'p',
      principal: alice,
      scopes,
      loginHint: 'alice',
      pauseId: pause.id,
    });
    await world.issuer.answerBackchannel(-1, 'deny');
    world.clock.skip(pollEveryMs);
    expect(await outlive.connect.poll(connectionId)).toEqual({
      status: 'denied',
      error: 'access_denied',
    });
    expect(await outlive.pause(pause.id)).toMatchObject({ status: 'open' });
  });

  it('says so when the issuer does not know the person, or cannot be reached', async () => {
    const { world, outlive } = await taskWithDeadGrant();
    await using _ = world;
    const start = { provider: 'p', principal: alice, scopes, loginHint: 'nobody' };
    await expect(outlive.connect.backchannel(start)).rejects.toMatchObject({
      code: 'issuer_refused',
      reason: 'unknown_user_id',
    });
    await world.issuer.close();
    await expect(outlive.connect.backchannel(start)).rejects.toMatchObject({
      code: 'issuer_unavailable',
    });
  });
});

it('pauses once more when the grant dies again', async () => {
  const setting = await taskWithDeadGrant();
  const { world, outlive, pause, task } = setting;
  await using _ = world;
  const url = await walk(setting, { pauseId: pause.id });
  await outlive.connect.callback({ url, session });
  await outlive.resume(pause.id);
  const { refreshToken } = await world.grantRecord();
  await fetch(`${world.issuer.url}/token/revocation`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
    body: new URLSearchParams({ token: refreshToken?.reveal() ?? '' }),
  });
  const second = await pausedByDeadGrant(world, task);
  expect(second.id).not.toBe(pause.id);
});
