import { describe, expect, it } from 'vitest';
import { type DeadGrant, scopes, session, taskWithDeadGrant, walk } from './reauthorized-task.ts';
import { alice } from './world.ts';

/** The grant, the pause and the task are as they were. */
async function expectNothingBound({ world, outlive, pause, task }: DeadGrant): Promise<void> {
  const grant = await world.grantRecord();
  expect(grant).toMatchObject({ generation: 0, issuerSubject: 'alice', state: { status: 'dead' } });
  const found = await outlive.pause(pause.id);
  expect(found?.confirmedBy).toEqual([]);
  expect(found?.decision).toBeUndefined();
  expect((await world.start().outlive.task(task.id))?.status).not.toBe('active');
  let grants = 0;
  for await (const _one of world.store.list({ kind: 'grant' })) grants += 1;
  expect(grants).toBe(1);
}

async function auditedRefusals({ world, outlive }: DeadGrant): Promise<(string | undefined)[]> {
  await outlive.close();
  return world.events.flatMap(({ type, reason }) => (type === 'decision-refused' ? [reason] : []));
}

describe('a link to authorize again', () => {
  it('that is finished in another browser session binds nobody', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    expect(
      await setting.outlive.connect.callback({ url, session: 'mallory’s session' }),
    ).toMatchObject({ status: 'refused', because: expect.stringContaining('another session') });
    await expectNothingBound(setting);
    expect(await auditedRefusals(setting)).toEqual([expect.stringContaining('another session')]);
  });

  it('that was forwarded, and that somebody else signed in to at the issuer, binds nobody', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { as: 'mallory', pauseId: setting.pause.id });
    expect(await setting.outlive.connect.callback({ url, session })).toMatchObject({
      status: 'refused',
      because: expect.stringContaining('another account'),
    });
    await expectNothingBound(setting);
    expect(await auditedRefusals(setting)).toEqual([expect.stringContaining('another account')]);
  });

  it('that somebody started for themselves and sent to alice does not lend them her account', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const mallory = { subject: 'mallory' };
    const url = await walk(setting, { principal: mallory, session: 'mallory’s session' });
    expect(
      await setting.outlive.connect.callback({ url, session, principal: alice }),
    ).toMatchObject({ status: 'refused' });
    await expectNothingBound(setting);
  });

  it('that comes back when another person has signed in to the same browser session binds nobody', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    expect(
      await setting.outlive.connect.callback({ url, session, principal: { subject: 'bob' } }),
    ).toMatchObject({ status: 'refused', because: expect.stringContaining('another person') });
    await expectNothingBound(setting);
  });

  it('that comes back to a person of the same name in another tenant binds nobody', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    const namesake = { ...alice, tenant: 'elsewhere' };
    expect(
      await setting.outlive.connect.callback({ url, session, principal: namesake }),
    ).toMatchObject({ status: 'refused' });
    await expectNothingBound(setting);
  });

  it.each([
    ['another person', { subject: 'bob' }],
    ['a person of the same name in another tenant', { ...alice, tenant: 'elsewhere' }],
    ['a person of the same name of another directory', { ...alice, issuer: 'https://other' }],
  ])(
    'for a pause cannot be started by %s, and the attempt is in the log',
    async (_who, principal) => {
      const setting = await taskWithDeadGrant();
      await using _ = setting.world;
      const start = { provider: 'p', principal, scopes, pauseId: setting.pause.id };
      const { connect } = setting.outlive;
      const wrong = { name: 'ConfigurationError', paths: ['pauseId'] };
      await expect(connect.start({ ...start, session })).rejects.toMatchObject(wrong);
      await expect(connect.device({ ...start, issuerSubject: 'bob' })).rejects.toMatchObject(wrong);
      await expect(
        connect.backchannel({ ...start, loginHint: 'bob', issuerSubject: 'bob' }),
      ).rejects.toMatchObject(wrong);
      await expectNothingBound(setting);
      expect(await auditedRefusals(setting)).toHaveLength(3);
    },
  );

  it('says the same of a pause that is another’s and of one that does not exist', async () => {
    const { world, outlive, pause } = await taskWithDeadGrant();
    await using _ = world;
    const start = { provider: 'p', principal: { subject: 'bob' }, scopes, session };
    const errors = [];
    for (const pauseId of [pause.id, 'made.up'])
      errors.push(await outlive.connect.start({ ...start, pauseId }).catch(String));
    expect(new Set(errors).size).toBe(1);
  });

  it('is used once: the second time it binds nobody, wherever it comes back', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    await setting.outlive.connect.callback({ url, session: 'another' });
    expect(await setting.outlive.connect.callback({ url, session })).toMatchObject({
      status: 'refused',
    });
    await expectNothingBound(setting);
  });

  it('binds nobody after its ten minutes', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    setting.world.clock.skip(600_000);
    expect((await setting.outlive.connect.callback({ url, session })).status).toBe('refused');
    await expectNothingBound(setting);
  });

  it('binds nobody when its state was swapped for that of another link', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const own = await walk(setting, { pauseId: setting.pause.id });
    const other = await walk(setting, { as: 'mallory', session: 'mallory’s session' });
    const mixed = new URL(other);
    mixed.searchParams.set('state', own.searchParams.get('state') ?? '');
    // The code of another request does not go with this one's PKCE verifier (RFC 7636).
    expect((await setting.outlive.connect.callback({ url: mixed, session })).status).toBe('denied');
    await expectNothingBound(setting);
  });

  it.each<[string, (url: URL) => void]>([
    ['another issuer', (url) => url.searchParams.set('iss', 'https://evil.example')],
    ['two issuers', (url) => url.searchParams.append('iss', 'https://evil.example')],
    ['another callback', (url) => Object.assign(url, { pathname: '/other' })],
  ])('that comes back from %s sends its code nowhere', async (_what, change) => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    const before = setting.world.issuer.counters.tokenRequests;
    change(url);
    expect((await setting.outlive.connect.callback({ url, session })).status).toBe('refused');
    expect(setting.world.issuer.counters.tokenRequests).toBe(before);
    await expectNothingBound(setting);
  });

  it('binds nobody once its pause was cancelled', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const url = await walk(setting, { pauseId: setting.pause.id });
    await setting.outlive.decide(setting.pause.id, { decision: 'cancel', by: 'alice' });
    expect(await setting.outlive.connect.callback({ url, session })).toMatchObject({
      status: 'refused',
      because: 'the pause it was for is closed',
    });
    expect(await setting.world.grantRecord()).toMatchObject({ state: { status: 'dead' } });
  });

  it('for a first connection binds nobody but the account that the app expects', async () => {
    const setting = await taskWithDeadGrant();
    await using _ = setting.world;
    const start = { principal: { subject: 'carol' }, issuerSubject: 'carol' };
    const url = await walk(setting, { ...start, as: 'mallory' });
    expect(await setting.outlive.connect.callback({ url, session })).toMatchObject({
      status: 'refused',
      because: expect.stringContaining('another account'),
    });
    await expectNothingBound(setting);
  });

  it('resumes nothing for a person who was stopped meanwhile', async () => {
    const setting = await taskWithDeadGrant();
    const { world, outlive, pause } = setting;
    await using _ = world;
    const url = await walk(setting, { pauseId: pause.id });
    world.turn('revoked');
    expect(await outlive.connect.callback({ url, session })).toMatchObject({
      pauses: [{ status: 'refused', because: expect.stringContaining('revoked') }],
    });
    expect(await outlive.resume(pause.id)).toMatchObject({ status: 'waiting' });
  });
});

describe('a code for a device', () => {
  it('that somebody else entered binds nobody', async () => {
    const setting = await taskWithDeadGrant();
    const { world, outlive, pause } = setting;
    await using _ = world;
    const device = await outlive.connect.device({
      provider: 'p',
      principal: alice,
      scopes,
      pauseId: pause.id,
    });
    await world.issuer.authorizeDevice(new URL(device.verificationUrlComplete ?? ''), {
      subject: 'mallory',
    });
    world.clock.skip(device.pollEveryMs);
    await outlive.maintain();
    expect(await outlive.connect.poll(device.connectionId)).toMatchObject({
      status: 'refused',
      because: expect.stringContaining('another account'),
    });
    await expectNothingBound(setting);
  });

  it('is not given out where nobody knows whose account must come back, or no ID token would tell', async () => {
    const { world, outlive } = await taskWithDeadGrant();
    await using _ = world;
    const start = { provider: 'p', principal: { subject: 'carol' }, scopes };
    await expect(outlive.connect.device(start)).rejects.toMatchObject({ paths: ['issuerSubject'] });
    await expect(
      outlive.connect.device({ ...start, issuerSubject: 'carol', scopes: ['read'] }),
    ).rejects.toMatchObject({ paths: ['scopes'] });
  });
});

it('a request on a phone that went to somebody else binds nobody', async () => {
  const setting = await taskWithDeadGrant();
  const { world, outlive, pause } = setting;
  await using _ = world;
  world.issuer.user('mallory');
  const { connectionId, pollEveryMs } = await outlive.connect.backchannel({
    provider: 'p',
    principal: alice,
    scopes,
    loginHint: 'mallory',
    pauseId: pause.id,
  });
  await world.issuer.answerBackchannel(-1, 'allow');
  world.clock.skip(pollEveryMs);
  expect(await outlive.connect.poll(connectionId)).toMatchObject({
    status: 'refused',
    because: expect.stringContaining('another account'),
  });
  await expectNothingBound(setting);
});
