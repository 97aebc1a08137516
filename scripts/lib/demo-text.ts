/*
 * Words for the demo data: made-up conversations of a town in several languages.
 *
 * A statement is a measure put into a frame, with an ending that may be empty: a few lines of
 * templates give some hundred different sentences for each topic.
 */
import type { Random } from './demo-random.ts';

interface Topic {
  title: string;
  description: string;
  /** Things one can be for or against, as they stand at the start of a sentence. */
  measures: string[];
}

interface Language {
  /** How often it is chosen, against the others. */
  weight: number;
  frames: string[];
  endings: string[];
  topics: Topic[];
}

const LANGUAGES: Language[] = [
  {
    weight: 8,
    frames: [
      '{}: we should begin with this before anything else.',
      '{}: this would help those who need it most.',
      '{}: I doubt that it is worth the money.',
      '{}: nobody has asked the people who live here.',
      '{}: other towns did it and nobody wants to go back.',
      '{}: a good idea, but not as long as so much else is broken.',
      '{}: I would pay a little more for that.',
      '{}: it sounds fair, and it would be unfair in practice.',
      '{}: let us try it for a year and then vote again.',
      '{}: my family would use it every day.',
      '{}: we have been promised this for ten years.',
      '{}: this only moves the problem to the next street.',
    ],
    endings: [
      '',
      ' At least in the evenings.',
      ' The outskirts come first.',
      ' The figures have to be public.',
      ' Children should be asked too.',
      ' I have changed my mind on this.',
    ],
    topics: [
      {
        title: 'How should we get around town in ten years?',
        description: 'Streets, buses, bicycles and parking: what should change first?',
        measures: [
          'Bus lanes on the ring road',
          'A centre without cars on Sundays',
          'Free buses for everyone under eighteen',
          'Wider pavements on the high street',
          'Paid parking in every quarter',
          'A cycle path along the river',
          'Night buses until two in the morning',
          'A limit of 30 km/h in all side streets',
        ],
      },
      {
        title: 'What should the old market hall become?',
        description: 'The hall stands empty since spring. The council decides in autumn.',
        measures: [
          'A food market with local farmers',
          'Studios at a rent that artists can pay',
          'A library with long opening hours',
          'An indoor playground',
          'A hall that clubs can book for free',
          'Selling the building to the best bidder',
          'A night shelter in the side wing',
        ],
      },
      {
        title: 'Should shops stay open on Sundays?',
        description: 'Some want to shop, some want a quiet day, and some have to work.',
        measures: [
          'Four open Sundays a year',
          'Open Sundays for small shops only',
          'Double pay for work on Sundays',
          'One day of the week without deliveries',
          'Automatic shops without staff',
        ],
      },
      {
        title: 'How do we use artificial intelligence at the town hall?',
        description: 'Forms, waiting times, decisions: what may a machine do?',
        measures: [
          'A chatbot that answers at night',
          'Machines that sort applications',
          'A register of every algorithm in use',
          'The right to speak to a human',
          'Automatic translation of all letters',
          'Training for everyone who works there',
        ],
      },
      {
        title: 'Where should new housing be built?',
        description: 'Eight hundred people are on the waiting list.',
        measures: [
          'Building on the old railway yard',
          'Two more floors on flat roofs',
          'A third of all new flats at a fixed rent',
          'A ban on short-term holiday lets',
          'A tax on flats that stand empty',
          'Small houses at the edge of the fields',
        ],
      },
    ],
  },
  {
    weight: 3,
    frames: [
      '{} : commençons par là.',
      '{} : cela aiderait ceux qui en ont le plus besoin.',
      '{} : je doute que cela vaille la dépense.',
      "{} : personne n'a demandé l'avis des habitants.",
      "{} : d'autres villes l'ont fait, personne ne le regrette.",
      '{} : essayons pendant un an, puis votons de nouveau.',
      '{} : ma famille en profiterait tous les jours.',
      '{} : on nous le promet depuis dix ans.',
    ],
    endings: [
      '',
      ' Surtout le soir.',
      ' Les chiffres doivent être publics.',
      " J'ai changé d'avis.",
    ],
    topics: [
      {
        title: 'Comment rendre le centre-ville plus vivant ?',
        description: 'Commerces, terrasses, bruit et voitures : que faut-il changer ?',
        measures: [
          'Une place sans voitures',
          'Des loyers plafonnés pour les petits commerces',
          'Un marché le mercredi soir',
          "Des terrasses jusqu'à minuit",
          "Des bancs à l'ombre",
          "Un parking gratuit à l'entrée de la ville",
        ],
      },
      {
        title: "Que faire de l'eau quand l'été est sec ?",
        description: 'Les restrictions reviennent chaque année.',
        measures: [
          "Un prix de l'eau qui monte avec la consommation",
          "L'eau de pluie pour les jardins publics",
          'Une piscine sur deux fermée en août',
          'Des fuites réparées en une semaine',
          'Des fontaines dans chaque quartier',
        ],
      },
    ],
  },
  {
    weight: 3,
    frames: [
      '{}: deberíamos empezar por ahí.',
      '{}: ayudaría a quienes más lo necesitan.',
      '{}: dudo que valga lo que cuesta.',
      '{}: nadie ha preguntado a los vecinos.',
      '{}: probemos un año y volvamos a votar.',
      '{}: mi familia lo usaría todos los días.',
      '{}: llevamos diez años esperando.',
      '{}: solo traslada el problema a otra calle.',
    ],
    endings: ['', ' Sobre todo por la noche.', ' Las cuentas tienen que ser públicas.'],
    topics: [
      {
        title: '¿Qué escuela queremos para el barrio?',
        description: 'El colegio se amplía el año que viene y hay sitio para ideas.',
        measures: [
          'Un comedor con cocina propia',
          'Un patio verde abierto los fines de semana',
          'Menos deberes en primaria',
          'Clases de apoyo gratuitas por la tarde',
          'Teléfonos fuera del aula',
          'Una biblioteca compartida con el barrio',
        ],
      },
      {
        title: '¿Cómo convivimos con el turismo?',
        description: 'Vivimos de los visitantes y a veces no cabemos.',
        measures: [
          'Un límite de pisos turísticos por calle',
          'Una tasa por noche para limpieza',
          'Autobuses turísticos fuera del casco antiguo',
          'Guías obligatorios para grupos grandes',
        ],
      },
    ],
  },
  {
    weight: 3,
    frames: [
      '{}: Damit sollten wir anfangen.',
      '{}: Das hilft denen, die es am nötigsten haben.',
      '{}: Ich bezweifle, dass sich das lohnt.',
      '{}: Niemand hat die Leute hier gefragt.',
      '{}: Probieren wir es ein Jahr und stimmen dann noch einmal ab.',
      '{}: Meine Familie würde es jeden Tag nutzen.',
      '{}: Das wird uns seit zehn Jahren versprochen.',
      '{}: Das verschiebt das Problem nur in die nächste Straße.',
    ],
    endings: ['', ' Vor allem abends.', ' Die Zahlen gehören veröffentlicht.'],
    topics: [
      {
        title: 'Wie heizen wir in Zukunft?',
        description: 'Der Wärmeplan muss bis Jahresende stehen.',
        measures: [
          'Fernwärme für die ganze Altstadt',
          'Ein Zuschuss für Wärmepumpen',
          'Sonnenkollektoren auf allen Schulen',
          'Eine Beratung, die ins Haus kommt',
          'Ein Preisdeckel für kleine Wohnungen',
          'Abwärme aus dem Rechenzentrum',
        ],
      },
      {
        title: 'Was fehlt im Stadtpark?',
        description: 'Der Park wird umgebaut; das Geld reicht nicht für alles.',
        measures: [
          'Ein Trinkbrunnen',
          'Licht auf den Hauptwegen',
          'Eine Wiese ohne Hunde',
          'Grillplätze am Ufer',
          'Ein Café, das auch im Winter offen ist',
        ],
      },
    ],
  },
  {
    weight: 2,
    frames: [
      '{}：應該先做這件事。',
      '{}：最需要的人會得到幫助。',
      '{}：我懷疑值不值得花這筆錢。',
      '{}：沒有人問過住在這裡的人。',
      '{}：先試一年，再投票一次。',
      '{}：我家每天都會用到。',
      '{}：這件事已經答應我們十年了。',
    ],
    endings: ['', '數字應該公開。', '晚上尤其重要。'],
    topics: [
      {
        title: '夜市應該怎麼改？',
        description: '攤位、垃圾、噪音與停車：先改哪一項？',
        measures: [
          '自備餐具減五元',
          '晚上十一點以後不放音樂',
          '攤位每年抽籤',
          '機車停在兩條街以外',
          '每一攤都能用行動支付',
        ],
      },
      {
        title: '社區要不要共享電動機車？',
        description: '業者想設五十個站點。',
        measures: ['站點不占人行道', '未滿二十歲半價', '電池交換站設在公園旁', '先在一個里試辦'],
      },
    ],
  },
  {
    weight: 1,
    frames: [
      '{}。まずここから始めましょう。',
      '{}。一番困っている人の助けになります。',
      '{}。費用に見合うとは思えません。',
      '{}。住民の意見を聞いていません。',
      '{}。一年試してから、もう一度投票しましょう。',
    ],
    endings: ['', '特に夜は大切です。', '数字は公開してください。'],
    topics: [
      {
        title: '商店街をどうすれば元気にできますか',
        description: '空き店舗が増えています。',
        measures: [
          '空き店舗を学生に安く貸す',
          '週末は車を通さない',
          '夜九時まで開ける',
          '屋根の下に遊び場を作る',
        ],
      },
    ],
  },
];

const NAMES = [
  'Ada',
  'Amir',
  'Aiko',
  'Bao',
  'Bea',
  'Carla',
  'Chen',
  'Dario',
  'Dina',
  'Efua',
  'Elif',
  'Emil',
  'Fatou',
  'Finn',
  'Greta',
  'Hana',
  'Hugo',
  'Ines',
  'Ivan',
  'Jana',
  'Jonas',
  'Kemal',
  'Lea',
  'Lin',
  'Luis',
  'Maja',
  'Mateo',
  'Mei',
  'Nadia',
  'Noor',
  'Olga',
  'Omar',
  'Pia',
  'Quim',
  'Rosa',
  'Sami',
  'Sofia',
  'Tariq',
  'Tomás',
  'Uma',
  'Vera',
  'Wen',
  'Xenia',
  'Yara',
  'Yusuf',
  'Zoë',
];
const INITIALS = 'ABCDEFGHIJKLMNOPRSTUVWZ';

const PLACES = [
  'Aldermoor',
  'Brunnhof',
  'Port-Vieux',
  'Río Claro',
  'Lindenau',
  'Kestrel Hill',
  'Saint-Aubry',
  'Valdemar',
  'Nordkai',
  'Green Quay',
  'Monteluz',
  'Ostbruck',
  'Fairmead',
  'La Fontaine',
  'Castronuevo',
  'Westerholm',
  'Millbridge',
  'Haut-Pré',
  'Las Eras',
  'Sonnenfeld',
];

/** A person's display name. Several people may have the same one. */
export function demoName(random: Random): string {
  return `${random.pick(NAMES)} ${random.pick([...INITIALS])}.`;
}

/** A conversation's subject and the sentences that can be said in it, without end. */
export interface DemoTopic {
  title: string;
  description: string;
  /** The statement with this index, from 0; indexes beyond the supply are told apart by a count. */
  statement(index: number): string;
}

const TOPICS = LANGUAGES.flatMap((language) =>
  language.topics.map((topic) => ({
    language,
    topic,
    weight: language.weight / language.topics.length,
  })),
);
const TOTAL_WEIGHT = TOPICS.reduce((sum, { weight }) => sum + weight, 0);

/** The topic in whose share of the total weight `point` lies. */
function drawn(point: number): (typeof TOPICS)[number] {
  let end = 0;
  for (const candidate of TOPICS) {
    end += candidate.weight;
    if (point < end) return candidate;
  }
  throw new RangeError(`${point} is beyond the total weight ${TOTAL_WEIGHT}`);
}

/**
 * The topic of the conversation with this number: drawn by how common its language is, in the next
 * of the places; the order of its statements is drawn as well.
 */
export function demoTopic(random: Random, number: number): DemoTopic {
  const chosen = drawn(random.next() * TOTAL_WEIGHT);
  const { language, topic } = chosen;
  const supply: [number, number, number][] = [];
  for (let m = 0; m < topic.measures.length; m += 1)
    for (let f = 0; f < language.frames.length; f += 1)
      for (let e = 0; e < language.endings.length; e += 1) supply.push([m, f, e]);
  random.shuffle(supply);
  return {
    title: `${PLACES[number % PLACES.length]}: ${topic.title}`,
    description: topic.description,
    statement(index) {
      const [m, f, e] = supply[index % supply.length] as [number, number, number];
      const text = (language.frames[f] as string).replace('{}', topic.measures[m] as string);
      const round = Math.floor(index / supply.length);
      return `${text}${language.endings[e]}${round === 0 ? '' : ` (${round + 1})`}`;
    },
  };
}
